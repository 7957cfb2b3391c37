"""What the processes that begin in `config` show of themselves; the sweeper's is in its command."""
