package playbooks

import "fmt"

// Label is what the step is about: the key of its object once evaluated, the label as written otherwise.
func (s *Step) Label() string {
	if attr := s.Task.Module.Schema().Key(); attr != nil && s.body != nil && !s.Sensitive {
		if k, ok := s.body.params[attr.Name]; ok {
			return fmt.Sprint(k)
		}
	}
	return s.Task.Label
}
