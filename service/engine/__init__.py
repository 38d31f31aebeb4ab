"""The model behind one protocol, and the watchdog that notices when it is lost."""
