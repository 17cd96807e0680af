package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"
)

// Bytes is what a server that was started for the run gave to the operating
// system for each execution, by its own counters.
type Bytes struct {
	// History is the size of an execution's history, as the API gives it; 0 if
	// the scenario is not one of whole workflows.
	History float64 `json:"history"`
	// Rows is what was put into the store: keys and values.
	Rows float64 `json:"store_rows"`
	// StoreLog, StoreFlushed and StoreCompacted are what the store made of it: its
	// log, the tables written from memory, and those that compactions wrote.
	StoreLog       float64 `json:"store_log"`
	StoreFlushed   float64 `json:"store_flushed"`
	StoreCompacted float64 `json:"store_compacted"`
	// IndexLog is the log of the visibility index, IndexCopied what was copied
	// from there into its file.
	IndexLog    float64 `json:"index_log"`
	IndexCopied float64 `json:"index_copied"`
	// IndexRows is how often an execution was written to the index.
	IndexRows float64 `json:"index_rows"`

	// StoreToHistory is all that the store wrote in multiples of History;
	// Amplification in multiples of Rows.
	StoreToHistory float64 `json:"store_to_history,omitempty"`
	Amplification  float64 `json:"store_write_amplification"`
}

// The counters of the server's /metrics that Bytes is made of.
const (
	countRows           = "perdure_commit_bytes_total"
	countStoreLog       = "perdure_store_log_bytes_total"
	countStoreFlushed   = "perdure_store_flushed_bytes_total"
	countStoreCompacted = "perdure_store_compacted_bytes_total"
	countIndexLog       = "perdure_index_log_bytes_total"
	countIndexCopied    = "perdure_index_copied_bytes_total"
	countIndexRows      = "perdure_index_rows_total"
	gaugeIndexDisk      = "perdure_index_disk_bytes"
)

// counters are figures of /metrics that have no labels, by name.
type counters map[string]float64

// counters reads the server's; there are none of a stranger and of the floor.
func (p *process) counters(ctx context.Context) (counters, error) {
	address := p.metrics.Load()
	if address == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *address, nil)
	if err != nil {
		return nil, fmt.Errorf("metrics of the server: %w", err)
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("metrics of the server: %w", err)
	}
	defer reply.Body.Close()
	all := counters{}
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 2 {
			if value, err := strconv.ParseFloat(f[1], 64); err == nil {
				all[f[0]] = value
			}
		}
	}
	return all, nil
}

// bytes are what count executions cost between two readings; nil if there are none.
func (after counters) bytes(before counters, count int) *Bytes {
	if after == nil || before == nil || count == 0 {
		return nil
	}
	each := func(name string) float64 { return (after[name] - before[name]) / float64(count) }
	b := &Bytes{
		Rows: each(countRows), StoreLog: each(countStoreLog), StoreFlushed: each(countStoreFlushed), StoreCompacted: each(countStoreCompacted),
		IndexLog: each(countIndexLog), IndexCopied: each(countIndexCopied), IndexRows: each(countIndexRows),
	}
	if b.Rows > 0 {
		b.Amplification = b.store() / b.Rows
	}
	return b
}

// store is all that the store wrote.
func (b *Bytes) store() float64 { return b.StoreLog + b.StoreFlushed + b.StoreCompacted }

// ofHistory compares with the size of a history.
func (b *Bytes) ofHistory(sizeBytes float64) {
	b.History = sizeBytes
	if sizeBytes > 0 {
		b.StoreToHistory = b.store() / sizeBytes
	}
}

func (b *Bytes) print(line func(name, format string, args ...any)) {
	line("bytes of an execution", "history %.0f, rows of the store %.0f", b.History, b.Rows)
	line("store writes", "%.0f: log %.0f, tables %.0f, compactions %.0f (%.2f of the history, %.2f of the rows)",
		b.store(), b.StoreLog, b.StoreFlushed, b.StoreCompacted, b.StoreToHistory, b.Amplification)
	line("index writes", "%.0f: log %.0f, copied into the file %.0f; %.2f rows", b.IndexLog+b.IndexCopied, b.IndexLog, b.IndexCopied, b.IndexRows)
}

// historySample is of how many executions the size is asked.
const historySample = 16

// historyBytes is the middle size of the histories of a part's first executions;
// 0 if they are not workflows.
func (b *bench) historyBytes(ctx context.Context, part string, count int) float64 {
	var sum, n float64
	for i := range min(count, historySample) {
		reply, err := b.api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: b.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: b.id(part, int64(i+1))}})
		if err != nil {
			return 0
		}
		sum += float64(reply.GetWorkflowExecutionInfo().GetHistorySizeBytes())
		n++
	}
	return sum / max(n, 1)
}
