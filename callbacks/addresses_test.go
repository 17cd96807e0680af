package callbacks

import (
	"net/netip"
	"strings"
	"testing"
)

// Which URLs a list of allowed addresses lets through, with the API's texts.
func TestWhichAddressesAreAllowed(t *testing.T) {
	const (
		unknown = "invalid url: url does not match any configured callback address: "
		secure  = "invalid url: callback address does not allow insecure connections: "
	)
	for _, row := range []struct {
		name, allowed, url, want string
	}{
		{"none by default", "", "https://a.example.com/x", unknown},
		{"this server always", "", "temporal://system", ""},
		{"this server by its other name", "", "temporal://internal", ""},
		{"no other temporal address", "temporal.example.com", "temporal://elsewhere", "invalid url: unknown scheme: "},
		{"a host by name", "hooks.example.com", "https://hooks.example.com/x?y=z", ""},
		{"whatever the case", "Hooks.Example.com", "https://HOOKS.example.COM/", ""},
		{"another host", "hooks.example.com", "https://example.com/", unknown},
		{"a host by pattern", "*.example.com", "https://hooks.example.com/", ""},
		{"a pattern is no suffix of a longer name", "*.example.com", "https://hooks.example.com.evil.org/", unknown},
		{"a user is no host", "*.example.com", "https://hooks.example.com@evil.org/", unknown},
		{"the scheme's own port written out", "hooks.example.com", "https://hooks.example.com:443/", ""},
		{"the scheme's own port left out", "hooks.example.com:443", "https://hooks.example.com/", ""},
		{"another port", "hooks.example.com", "https://hooks.example.com:8443/", unknown},
		{"any port", "hooks.example.com:*", "https://hooks.example.com:8443/", ""},
		{"http where TLS is asked for", "hooks.example.com", "http://hooks.example.com/", secure},
		{"http where https is written", "https://hooks.example.com", "http://hooks.example.com/", secure},
		{"http where it is allowed", "http://localhost:*", "http://localhost:1234/cb", ""},
		{"https where http is allowed", "http://localhost:*", "https://localhost:1234/cb", ""},
		{"the second of a list", "a.example.com http://b.example.com", "http://b.example.com/", ""},
		{"an address in brackets", "http://[::1]:*", "http://[::1]:80/", ""},
		{"everything", "http://*:*", "http://10.0.0.1:99/", ""},
		{"mail", "*", "mailto:a@b", "invalid url: unknown scheme: "},
		{"no host", "*", "http:///x", "invalid url: missing host"},
		{"a port alone is no host", "*", "http://:80/x", "invalid url: missing host"},
		{"not a URL", "*", "http://a b/", "invalid url: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := ParseAddresses(strings.Fields(row.allowed))
			if err != nil {
				t.Fatal(err)
			}
			err = a.Check(row.url)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "http://", "a/b", "https://a/", "a?b", "u@a", "a:", "[", "a:[", "a b"} {
		if _, err := ParseAddresses([]string{text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestHiddenAddressesAreNeverCalled(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "8.8.8.8": false,
		"169.254.169.254": true, "::ffff:169.254.169.254": true, "fe80::1": true, "0.0.0.0": true, "::": true, "224.0.0.1": true,
	} {
		addr := netip.AddrPortFrom(netip.MustParseAddr(text), 80).String()
		if err := refuseHidden("tcp", addr, nil); (err != nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if refuseHidden("tcp", "name:80", nil) == nil {
		t.Error("a name is no address")
	}
}
