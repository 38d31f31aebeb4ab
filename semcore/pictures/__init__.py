"""Pictures as a viewer shows them: formats, colours, decoding."""
