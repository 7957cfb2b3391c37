"""How the processes log."""
