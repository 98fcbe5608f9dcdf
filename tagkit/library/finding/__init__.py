"""From what a person names to the audio files that are meant."""
