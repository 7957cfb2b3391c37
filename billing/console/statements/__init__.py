"""Statements as their organization sees them: pages, and files to keep."""
