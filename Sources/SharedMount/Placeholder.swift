enum PlaceholderSharedMount {}
