"""The guide: a dual encoder whose vectors are evidence beside what the model generates."""
