"""What a process says of itself: lines of a log, spans of traces, reports of crashes."""
