package bench

import (
	"fmt"
	"os"
	"sync"
)

// nullLog is a file to which many append at once. While one sync runs the next
// batch gathers; it is whatever arrived meanwhile, and shares one sync.
type nullLog struct {
	file *os.File
	wake chan struct{} // one token: there is a batch to write
	done chan struct{} // closed when the loop has ended

	mu struct {
		sync.Mutex
		next   *nullBatch
		closed bool
	}
	// commits and syncs count, for the tests.
	commits, syncs int
}

// nullBatch is written and synced together.
type nullBatch struct {
	bytes   []byte
	commits int
	synced  chan struct{}
	err     error // set before synced is closed
}

func openNullLog(path string) (*nullLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("null server's log: %w", err)
	}
	l := &nullLog{file: file, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.mu.next = &nullBatch{synced: make(chan struct{})}
	go l.loop()
	return l, nil
}

// append returns once the bytes are on disk.
func (l *nullLog) append(bytes []byte) error {
	l.mu.Lock()
	if l.mu.closed {
		l.mu.Unlock()
		return os.ErrClosed
	}
	batch := l.mu.next
	batch.bytes = append(batch.bytes, bytes...)
	batch.commits++
	first := batch.commits == 1
	if first {
		l.wake <- struct{}{} // never waits: one token a batch, taken before the next is made
	}
	l.mu.Unlock()
	<-batch.synced
	return batch.err
}

func (l *nullLog) loop() {
	defer close(l.done)
	for range l.wake {
		l.mu.Lock()
		batch := l.mu.next
		l.mu.next = &nullBatch{bytes: make([]byte, 0, cap(batch.bytes)), synced: make(chan struct{})}
		l.mu.Unlock()
		if _, batch.err = l.file.Write(batch.bytes); batch.err == nil {
			batch.err = l.file.Sync()
		}
		l.commits += batch.commits
		l.syncs++
		close(batch.synced)
	}
}

// close waits for what was appended.
func (l *nullLog) close() {
	l.mu.Lock()
	if !l.mu.closed {
		l.mu.closed = true
		close(l.wake)
	}
	l.mu.Unlock()
	<-l.done
	_ = l.file.Close()
}
