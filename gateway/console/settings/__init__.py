"""Pages of settings that know what the gateway keeps."""
