"""Reads of the gateway's rows, each for one organization."""
