package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreRight(t *testing.T) {
	for name, c := range map[string]Config{"server": Default(), "embedded": Embedded()} {
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckReportsEveryMistake(t *testing.T) {
	c := Default()
	c.Data, c.IP, c.UIPort, c.Shards = "", "0.0.0.0", 7233, 0
	c.LogLevel, c.LogFormat, c.Retention, c.CacheRuns, c.StoreCacheBytes = "loud", "xml", time.Second, 0, 1
	c.SearchAttributes = map[string]string{"Color": "Colour"}
	c.HTTPPort = 70000
	c.MaxHistoryEvents, c.MaxHistoryBytes, c.MaxWaitingCalls = 0, 1, 0
	c.CallbackAddresses = []string{"https://a.example.com/path"}
	err := c.Check()
	if err == nil {
		t.Fatal("no mistake reported")
	}
	for _, name := range []string{"data:", "ip:", "ui-port:", "http-port:", "shards:", "log-level:", "log-format:",
		"retention:", "cache-runs:", "store-cache-bytes:", "max-history-events:", "max-history-bytes:", "max-waiting-calls:", "search-attribute Color:", "callback-address:"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("nothing about %s in\n%v", name, err)
		}
	}
}

func TestAPublicAddressNeedsConsent(t *testing.T) {
	c := Default()
	c.IP = "192.0.2.1"
	if c.Check() == nil {
		t.Error("a public address was accepted without --insecure")
	}
	c.Insecure = true
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsPrintedCanBeRead(t *testing.T) {
	want := Default()
	want.Namespaces = []string{"a", "b"}
	want.SearchAttributes = map[string]string{"Color": "Keyword"}
	want.Retention = 72 * time.Hour
	want.CallbackAddresses = []string{"*.example.com", "http://localhost:*"}
	file := filepath.Join(t.TempDir(), "perdure.yaml")
	if err := os.WriteFile(file, []byte(want.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var got Config
	if err := got.LoadFile(file); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("read\n%s\nwrote\n%s", got, want)
	}
}

func TestAnUnknownSettingIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "perdure.yaml")
	if err := os.WriteFile(file, []byte("prot: 7233\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	if err := c.LoadFile(file); err == nil || !strings.Contains(err.Error(), "prot") {
		t.Errorf("error %v does not name the unknown setting", err)
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{
		"PERDURE_PORT": "7000", "PERDURE_UI_PORT": "0", "PERDURE_HEADLESS": "true", "PERDURE_RETENTION": "48h",
		"PERDURE_NAMESPACE": "a,b", "PERDURE_SEARCH_ATTRIBUTE": "Color=Keyword,Size=Int", "PERDURE_DATA": "/data",
		"PERDURE_STORE_CACHE_BYTES": "2097152", "PERDURE_MIN_FREE_DISK_BYTES": "1",
		"PERDURE_CALLBACK_ADDRESS": "*.example.com,http://localhost:*",
	}
	c := Default()
	if err := c.LoadEnv(func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	if c.Port != 7000 || c.UIPort != 0 || !c.Headless || c.Retention != 48*time.Hour || len(c.Namespaces) != 2 ||
		c.SearchAttributes["Size"] != "Int" || c.Data != "/data" || c.StoreCacheBytes != 2<<20 || c.MinFreeDiskBytes != 1 ||
		len(c.CallbackAddresses) != 2 {
		t.Errorf("got\n%s", c)
	}
	env = map[string]string{"PERDURE_PORT": "many"}
	if err := c.LoadEnv(func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err == nil ||
		!strings.Contains(err.Error(), "PERDURE_PORT") {
		t.Errorf("error %v does not name the variable", err)
	}
}
