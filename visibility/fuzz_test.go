package visibility

import "testing"

// A page token comes from outside: reading one says yes or no, and one that is
// read stands for the same place again.
func FuzzPageToken(f *testing.F) {
	f.Add(encodeToken(cursor{Close: 1, Start: 2, RunID: "r"}))
	f.Add([]byte(`{"c":1e400,"r":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeToken(b)
		if err != nil {
			return
		}
		if again, err := decodeToken(encodeToken(c)); err != nil || again.Close != c.Close || again.Start != c.Start {
			t.Errorf("%v became %v, %v", c, again, err)
		}
	})
}
