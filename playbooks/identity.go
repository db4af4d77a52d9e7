package playbooks

import "fmt"

// Label is what the step is about: the key of its object once evaluated, the label as written otherwise.
func (s *Step) Label() string {
	if attr := s.Task.Module.Schema().Key(); attr != nil && s.body != nil && !s.Sensitive {
		switch k := s.body.params[attr.Name].(type) {
		case nil:
		case string:
			return k
		default:
			return fmt.Sprint(k)
		}
	}
	return s.Task.Label
}
