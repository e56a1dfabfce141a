import { mount } from 'svelte';
import App from './App.svelte';
import './style.css';
import './pages.css';

mount(App, { target: document.querySelector('#dashboard') as HTMLElement });
