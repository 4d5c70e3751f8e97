"""Answer text and reference answer in, reward out; pure, and no limit on time in here."""
