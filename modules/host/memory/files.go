package memory

// files is what has been written here over the files of the base.
type files struct{}
