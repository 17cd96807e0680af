package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// LoadFile reads a YAML file over c. Names are those of the flags. An unknown
// name is an error: a setting that is silently ignored is worse than none.
func (c *Config) LoadFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	return nil
}

// LoadEnv reads PERDURE_<NAME> variables over c, the name in capitals with
// underscores: PERDURE_UI_PORT. Lists and maps are separated by commas.
func (c *Config) LoadEnv(lookup func(string) (string, bool)) error {
	for name, field := range c.fields() {
		key := "PERDURE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		text, ok := lookup(key)
		if !ok {
			continue
		}
		if err := set(field, text); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// String prints all that is in force, as a YAML file that LoadFile accepts.
func (c Config) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return err.Error() // a struct of plain fields always marshals
	}
	return string(text)
}

// fields are the settings by the name they have in a file.
func (c *Config) fields() map[string]reflect.Value {
	v := reflect.ValueOf(c).Elem()
	m := make(map[string]reflect.Value, v.NumField())
	for i := range v.NumField() {
		m[v.Type().Field(i).Tag.Get("yaml")] = v.Field(i)
	}
	return m
}

func set(field reflect.Value, text string) error {
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		*p = b
		return err
	case *int:
		n, err := strconv.Atoi(text)
		*p = n
		return err
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		*p = n
		return err
	case *uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		*p = n
		return err
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*p = d
		return err
	case *[]string:
		*p = strings.Split(text, ",")
	case *map[string]string:
		m, err := ParsePairs(strings.Split(text, ","))
		*p = m
		return err
	default:
		return fmt.Errorf("settings of type %s cannot come from the environment", field.Type())
	}
	return nil
}

// ParsePairs reads Name=Value texts, as --search-attribute takes them.
func ParsePairs(pairs []string) (map[string]string, error) {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("%q is not of the form Name=Type", pair)
		}
		m[name] = value
	}
	return m, nil
}
