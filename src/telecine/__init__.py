"""Telecine: a self-hosted video platform, drop-in for api.video."""

__version__ = "0.1.0"
