// Package docs is the documentation that labctl carries: the pages of which it makes manual pages. It knows nothing of labctl.
package docs

import _ "embed" // for the pages

// Language is the page about the language of sites, in Markdown.
//
//go:embed language.md
var Language string
