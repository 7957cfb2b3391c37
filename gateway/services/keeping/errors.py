"""What stops a backup or a restore."""


class KeepingError(Exception):
    """Something the operator can act on; the message is shown as it is."""


class DamagedBackupError(KeepingError):
    """The file is no backup, is cut short, was changed, or was sealed by another key."""
