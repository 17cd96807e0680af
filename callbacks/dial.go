package callbacks

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newClient makes requests as the package comment promises.
func newClient(perDestination int) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, Control: refuseHidden}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxConnsPerHost:        perDestination,
			MaxIdleConnsPerHost:    perDestination,
			MaxIdleConns:           1000,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxResponseBytes,
		},
	}
}

// refuseHidden keeps a name from leading to an address that only this machine
// sees. It is called with the address a name was resolved to, right before the
// connection, so that a second answer of the name server changes nothing.
func refuseHidden(_, addr string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if hidden(to.Addr()) {
		return fmt.Errorf("callbacks are not delivered to the address %s", to.Addr())
	}
	return nil
}

func hidden(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
}
