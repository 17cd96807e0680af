package callbacks

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// The addresses of this very server: completions of Nexus operations that it
// runs itself. They need no permission.
const (
	systemURL   = "temporal://system"
	internalURL = "temporal://internal"
)

// Addresses are the callback addresses an operator allows. The zero value allows
// none.
type Addresses struct{ allowed []address }

// address is one entry of the list.
type address struct {
	host     string // pattern of the host
	port     string // pattern of the port; empty: the scheme's own
	insecure bool   // http is allowed too
}

// ParseAddresses reads a list of the form [http://|https://]host[:port], in which
// host and port may hold * for any characters: "*.example.com",
// "http://localhost:*". Without a scheme, and with https, calls must use TLS;
// http:// allows both.
func ParseAddresses(list []string) (Addresses, error) {
	var a Addresses
	for _, text := range list {
		entry, err := parseAddress(text)
		if err != nil {
			return Addresses{}, fmt.Errorf("%q: %w", text, err)
		}
		a.allowed = append(a.allowed, entry)
	}
	return a, nil
}

func parseAddress(text string) (address, error) {
	rest, insecure := strings.CutPrefix(text, "http://")
	rest = strings.TrimPrefix(rest, "https://")
	if strings.ContainsAny(rest, "/?#@ ") {
		return address{}, fmt.Errorf("only [http://|https://]host[:port] is meant")
	}
	host, port := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		if host, port = rest[:i], rest[i+1:]; port == "" {
			return address{}, fmt.Errorf("the port is empty")
		}
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "" {
		return address{}, fmt.Errorf("the host is empty")
	}
	for _, pattern := range []string{host, port} {
		if _, err := path.Match(pattern, ""); err != nil {
			return address{}, fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	return address{host: host, port: port, insecure: insecure}, nil
}

// Check says why a callback may not use the URL, in the API's words
// (spec/workflow.md 1.11); nil if it may.
func (a Addresses) Check(text string) error {
	if inside(text) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("invalid url: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("invalid url: unknown scheme: %s", text)
	case u.Hostname() == "":
		return fmt.Errorf("invalid url: missing host")
	}
	insecure := false
	for _, entry := range a.allowed {
		switch {
		case !entry.matches(u):
		case u.Scheme == "https" || entry.insecure:
			return nil
		default:
			insecure = true
		}
	}
	if insecure {
		return fmt.Errorf("invalid url: callback address does not allow insecure connections: %s", text)
	}
	return fmt.Errorf("invalid url: url does not match any configured callback address: %s", text)
}

func (a address) matches(u *url.URL) bool {
	port := u.Port()
	if ownPort := map[string]string{"http": "80", "https": "443"}[u.Scheme]; a.port == "" && port == ownPort {
		port = ""
	} else if a.port != "" && port == "" {
		port = ownPort
	}
	return match(a.host, strings.ToLower(u.Hostname())) && match(a.port, port)
}

func match(pattern, text string) bool {
	ok, err := path.Match(pattern, text)
	return ok && err == nil
}

// inside reports whether the URL means this server.
func inside(text string) bool { return text == systemURL || text == internalURL }
