enum PlaceholderFilesHTTP {}
