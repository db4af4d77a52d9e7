//go:build !unix

package wholefile

import (
	"io/fs"
	"os"
)

func likeOwner(*os.File, fs.FileInfo) error { return nil }
