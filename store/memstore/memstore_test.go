package memstore_test

import (
	"math/rand/v2"
	"testing"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
	"github.com/perdure/perdure/store/storetest"
)

// disk is a memstore under the conformance suite.
type disk struct {
	opt    memstore.Options
	driver *memstore.Driver
	image  *memstore.Image
}

func (d *disk) Open(storetest.TB) store.Driver {
	if d.driver != nil && d.image == nil {
		d.image = d.driver.Image()
	}
	d.driver = memstore.Open(d.image, d.opt)
	d.image = nil
	return d.driver
}

func (d *disk) Crash(_ storetest.TB, r *rand.Rand) {
	d.opt.Chance = r
	d.image = d.driver.Crash()
}

func (d *disk) Fill(full bool) { d.driver.SetFull(full) }

func TestConformance(t *testing.T) {
	for name, opt := range map[string]memstore.Options{
		"plain":       {},
		"early reads": {EarlyReads: true},
		"torn log":    {Tear: func(log []byte, _ []int) []byte { return log[:len(log)/2] }},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func() storetest.Disk { return &disk{opt: opt} })
		})
	}
}
