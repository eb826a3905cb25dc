enum PlaceholderFileService {}
