"""labctl: declarative pulse measurements on neuromorphic devices."""
