"""English as captions use it: negation cue words, articles, grammatical number and lists of names."""
