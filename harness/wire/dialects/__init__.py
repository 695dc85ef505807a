"""The dialects, one file each; each registers itself with `@dialect` and imports none of the others."""
