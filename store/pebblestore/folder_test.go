package pebblestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// holderEnv makes the test binary a process that holds a folder.
const holderEnv = "PERDURE_TEST_HOLD_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderEnv); dir != "" {
		if _, err := pebblestore.Open(pebblestore.Options{Dir: dir}); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		os.Stdin.Read(make([]byte, 1)) // until the parent closes its end
		return
	}
	os.Exit(m.Run())
}

// TestInUse: whoever finds the folder in use learns by which process, both for
// another process and for this one; a process that was killed holds nothing.
func TestInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holderEnv+"="+dir)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	wantInUse(t, dir, holder.Process.Pid)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed

	d := mustOpen(t, pebblestore.Options{Dir: dir})
	wantInUse(t, dir, os.Getpid())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantInUse(t *testing.T, dir string, pid int) {
	t.Helper()
	_, err := pebblestore.Open(pebblestore.Options{Dir: dir})
	want := "data folder " + dir + " is in use by process " + strconv.Itoa(pid)
	if !errors.Is(err, pebblestore.ErrInUse) || !strings.Contains(err.Error(), want) {
		t.Fatalf("open of a folder in use: %v; want %q", err, want)
	}
}

// TestFormat: a folder that is newer, or not ours, is refused and stays as it is.
func TestFormat(t *testing.T) {
	for name, test := range map[string]struct {
		format string
		want   string
	}{
		"newer":         {"perdure store 3\n", "newer format"},
		"garbage":       {"hello", "not a format file"},
		"leading zero":  {"perdure store 01\n", "not a format file"},
		"no line break": {"perdure store 1", "not a format file"},
		"lost":          {"", "without a file FORMAT"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := mustOpen(t, pebblestore.Options{Dir: dir}).Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "db", "FORMAT")
			if test.format == "" {
				os.Remove(path)
			} else if err := os.WriteFile(path, []byte(test.format), 0o600); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			_, err := pebblestore.Open(pebblestore.Options{Dir: dir})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("open: %v; want %q", err, test.want)
			}
			if name == "newer" && !errors.Is(err, pebblestore.ErrNewerFormat) {
				t.Fatalf("open: %v; want ErrNewerFormat", err)
			}
			if after := listing(t, dir); after != before {
				t.Fatalf("the folder was changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// TestOlderFormat: a folder of an older format is opened, and no older server
// takes it for one of its own from then on.
func TestOlderFormat(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, pebblestore.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "db", "FORMAT")
	if err := os.WriteFile(path, []byte("perdure store 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, pebblestore.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != "perdure store 2\n" {
		t.Errorf("the format is %q, %v", now, err)
	}
}

// listing is every file with its size.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		b.WriteString(path + " " + strconv.FormatInt(info.Size(), 10) + " " + info.ModTime().String() + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCheckpoint: a checkpoint taken under load opens as a folder of its own
// with what was durable, and is not disturbed by what comes after.
func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, pebblestore.Options{Dir: filepath.Join(dir, "data")})
	s := mustOpenShard(t, d)
	k := store.Key{Family: store.FamilyState, Name: []byte("k")}
	put := func(value string) {
		b := &store.Batch{}
		b.Put(k, []byte(value))
		if err := commit(s, b); err != nil {
			t.Fatal(err)
		}
	}
	put("before")
	target := filepath.Join(dir, "checkpoint")
	if err := d.Checkpoint(target); err != nil {
		t.Fatal(err)
	}
	put("after")
	if err := d.Checkpoint(target); err == nil {
		t.Fatal("a checkpoint went into a folder that exists")
	}
	copied := mustOpen(t, pebblestore.Options{Dir: target})
	got, err := mustOpenShard(t, copied).Get(t.Context(), k)
	if err != nil || string(got) != "before" {
		t.Fatalf("the checkpoint has %q, %v", got, err)
	}
	if m := d.Metrics(); m.Batches != 2 || m.LogSyncs < 2 || m.WrittenBytes() == 0 || m.DiskFreeBytes == 0 || m.Full {
		t.Fatalf("metrics: %+v", m)
	}
	for _, d := range []*pebblestore.Driver{copied, d} {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Checkpoint(filepath.Join(dir, "late")); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("checkpoint of a closed database: %v", err)
	}
}

func TestOptionsReportEveryMistake(t *testing.T) {
	err := pebblestore.Options{MemTableBytes: 5, CacheBytes: -1, LowWaterBytes: 1, ReserveBytes: 2, Compression: 9}.Validate()
	for _, want := range []string{"data folder", "memtable", "negative", "reserve", "compression"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %q", err, want)
		}
	}
}
