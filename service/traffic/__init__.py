"""How many searches run at a time, and how long each may take."""
