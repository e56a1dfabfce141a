"""All SQL of viewers' analytics: writes, sweeps, rollups, and the questions that read them."""
