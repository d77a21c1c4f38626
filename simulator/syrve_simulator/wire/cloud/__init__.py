"""The dialect of the live service, as far as its public documents and other people's clients tell."""
