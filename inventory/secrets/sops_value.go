package secrets

import (
	"fmt"
	"strconv"
	"time"
)

// typed is a value of the type that sops has noted (aes/cipher.go).
func typed(kind string, b []byte) (any, error) {
	s := string(b)
	switch kind {
	case "str", "bytes", "comment":
		return s, nil
	case "int":
		return strconv.Atoi(s)
	case "float":
		return strconv.ParseFloat(s, 64)
	case "bool":
		return strconv.ParseBool(s)
	case "time":
		return time.Parse(time.RFC3339Nano, s)
	}
	return nil, fmt.Errorf("type %q is not known", kind)
}

// summed is a value as it goes into the sum (ToBytes in sops.go). True and False are Python's, which sops was written in.
func summed(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case int:
		return strconv.AppendInt(nil, int64(v), 10)
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64)
	case bool:
		if v {
			return []byte("True")
		}
		return []byte("False")
	case time.Time:
		b, _ := v.MarshalText()
		return b
	}
	return fmt.Append(nil, v)
}
