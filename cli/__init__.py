"""The three commands: fakedetect, dataset, synthesize."""
