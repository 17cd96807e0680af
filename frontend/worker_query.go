package frontend

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workerpb "go.temporal.io/api/worker/v1"
)

// The filter language of ListWorkers and CountWorkers (TQ-96, V-55):
//
//	expr := term { OR term }      term := factor { AND factor }
//	factor := ( expr ) | field condition
//	condition := op value | [NOT] STARTS_WITH value | IS [NOT] NULL | BETWEEN value AND value
//
// It is read by descent into a function, and the function asked for each worker.

type workerFilter func(*workerpb.WorkerHeartbeat) bool

// parseWorkerQuery reads a filter; an empty one selects every worker.
func parseWorkerQuery(text string) (workerFilter, error) {
	if strings.TrimSpace(text) == "" {
		return func(*workerpb.WorkerHeartbeat) bool { return true }, nil
	}
	tokens, err := splitWorkerQuery(text)
	if err == nil {
		p := &workerParser{tokens: tokens}
		var filter workerFilter
		if filter, err = p.any(); err == nil && len(p.tokens) > 0 {
			err = fmt.Errorf("unexpected %q", p.tokens[0].text)
		}
		if err == nil {
			return filter, nil
		}
	}
	return nil, invalidf("malformed query: %v", err)
}

type queryWord struct {
	text   string
	quoted bool
}

// is reports whether the word is this keyword or sign.
func (w queryWord) is(keyword string) bool { return !w.quoted && strings.EqualFold(w.text, keyword) }

var errOpenQuote = errors.New("a quote is not closed")

// splitWorkerQuery cuts a query into words, quoted values and signs.
func splitWorkerQuery(s string) ([]queryWord, error) {
	var words []queryWord
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		switch c := s[0]; {
		case strings.IndexByte("'\"`", c) >= 0:
			end := strings.IndexByte(s[1:], c)
			if end < 0 {
				return nil, errOpenQuote
			}
			words = append(words, queryWord{text: s[1 : 1+end], quoted: c != '`'})
			s = s[end+2:]
		case strings.IndexByte("()", c) >= 0:
			words = append(words, queryWord{text: s[:1]})
			s = s[1:]
		default:
			var n int
			if isSign(c) {
				n = spanOf(s, isSign)
			} else {
				n = spanOf(s, func(c byte) bool { return !isSign(c) && strings.IndexByte("()'\"` \t\r\n", c) < 0 })
			}
			words = append(words, queryWord{text: s[:n]})
			s = s[n:]
		}
	}
	return words, nil
}

func isSign(c byte) bool { return strings.IndexByte("=!<>", c) >= 0 }

func spanOf(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// maxQueryDepth bounds nesting, and with it the stack.
const maxQueryDepth = 100

type workerParser struct {
	tokens []queryWord
	depth  int
}

var errQueryEnd = errors.New("the query ends too early")

func (p *workerParser) next() (queryWord, error) {
	if len(p.tokens) == 0 {
		return queryWord{}, errQueryEnd
	}
	w := p.tokens[0]
	p.tokens = p.tokens[1:]
	return w, nil
}

func (p *workerParser) accept(keyword string) bool {
	if len(p.tokens) > 0 && p.tokens[0].is(keyword) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *workerParser) any() (workerFilter, error) {
	left, err := p.all()
	for err == nil && p.accept("OR") {
		var right workerFilter
		right, err = p.all()
		left = either(left, right)
	}
	return left, err
}

func either(a, b workerFilter) workerFilter {
	return func(h *workerpb.WorkerHeartbeat) bool { return a(h) || b(h) }
}

func both(a, b workerFilter) workerFilter {
	return func(h *workerpb.WorkerHeartbeat) bool { return a(h) && b(h) }
}

func (p *workerParser) all() (workerFilter, error) {
	left, err := p.factor()
	for err == nil && p.accept("AND") {
		var right workerFilter
		right, err = p.factor()
		left = both(left, right)
	}
	return left, err
}

func (p *workerParser) factor() (workerFilter, error) {
	if !p.accept("(") {
		return p.condition()
	}
	if p.depth++; p.depth > maxQueryDepth {
		return nil, errors.New("too deeply nested")
	}
	defer func() { p.depth-- }()
	inner, err := p.any()
	if err == nil && !p.accept(")") {
		err = errors.New("a parenthesis is not closed")
	}
	return inner, err
}

// workerField reads one field of a worker in a form that compares as its kind
// does: text as it is, times in RFC 3339 with nine fractional digits in UTC.
type workerField struct {
	read func(*workerpb.WorkerHeartbeat) string
	time bool
}

var workerFields = map[string]workerField{
	"WorkerInstanceKey": {read: (*workerpb.WorkerHeartbeat).GetWorkerInstanceKey},
	"WorkerIdentity":    {read: (*workerpb.WorkerHeartbeat).GetWorkerIdentity},
	"HostName":          {read: func(h *workerpb.WorkerHeartbeat) string { return h.GetHostInfo().GetHostName() }},
	"TaskQueue":         {read: (*workerpb.WorkerHeartbeat).GetTaskQueue},
	"DeploymentName":    {read: func(h *workerpb.WorkerHeartbeat) string { return h.GetDeploymentVersion().GetDeploymentName() }},
	"BuildId":           {read: func(h *workerpb.WorkerHeartbeat) string { return h.GetDeploymentVersion().GetBuildId() }},
	"SdkName":           {read: (*workerpb.WorkerHeartbeat).GetSdkName},
	"SdkVersion":        {read: (*workerpb.WorkerHeartbeat).GetSdkVersion},
	"WorkerStatus":      {read: workerStatus},
	"Status":            {read: workerStatus},
	"StartTime": {time: true, read: func(h *workerpb.WorkerHeartbeat) string {
		return sortableTime(h.GetStartTime().AsTime(), h.GetStartTime() != nil)
	}},
	"HeartbeatTime": {time: true, read: func(h *workerpb.WorkerHeartbeat) string {
		return sortableTime(h.GetHeartbeatTime().AsTime(), h.GetHeartbeatTime() != nil)
	}},
}

func workerStatus(h *workerpb.WorkerHeartbeat) string {
	if h.GetStatus() == enumspb.WORKER_STATUS_UNSPECIFIED {
		return ""
	}
	return h.GetStatus().String()
}

func sortableTime(t time.Time, set bool) string {
	if !set {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// literal reads a value to compare the field with.
func (f workerField) literal(text string) (string, error) {
	if !f.time {
		return text, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return "", fmt.Errorf("unable to parse datetime '%s'", text)
	}
	return sortableTime(t, true), nil
}

func (p *workerParser) condition() (workerFilter, error) {
	name, err := p.next()
	if err != nil {
		return nil, err
	}
	field, known := workerFields[name.text]
	if !known || name.quoted {
		return nil, fmt.Errorf("unknown or unsupported worker heartbeat search field: %s", name.text)
	}
	operator, err := p.next()
	if err != nil {
		return nil, err
	}
	switch {
	case operator.is("IS"):
		return p.null(field)
	case operator.is("BETWEEN"):
		return p.between(field)
	case operator.is("NOT"):
		if !p.accept("STARTS_WITH") {
			return nil, errors.New("NOT stands only before STARTS_WITH")
		}
		prefix, err := p.next()
		return func(h *workerpb.WorkerHeartbeat) bool { return !strings.HasPrefix(field.read(h), prefix.text) }, err
	case operator.is("STARTS_WITH"):
		prefix, err := p.next()
		return func(h *workerpb.WorkerHeartbeat) bool { return strings.HasPrefix(field.read(h), prefix.text) }, err
	}
	return p.compare(field, operator)
}

func (p *workerParser) null(field workerField) (workerFilter, error) {
	not := p.accept("NOT")
	if !p.accept("NULL") {
		return nil, errors.New("'IS' operator can only be used with 'NULL' or 'NOT NULL'")
	}
	return func(h *workerpb.WorkerHeartbeat) bool { return (field.read(h) == "") != not }, nil
}

func (p *workerParser) value(field workerField) (string, error) {
	w, err := p.next()
	if err != nil {
		return "", err
	}
	return field.literal(w.text)
}

func (p *workerParser) between(field workerField) (workerFilter, error) {
	if !field.time {
		return nil, errors.New("BETWEEN is for times")
	}
	from, err := p.value(field)
	if err == nil && !p.accept("AND") {
		err = errors.New("BETWEEN without AND")
	}
	if err != nil {
		return nil, err
	}
	to, err := p.value(field)
	return func(h *workerpb.WorkerHeartbeat) bool {
		v := field.read(h)
		return v != "" && v >= from && v <= to
	}, err
}

func (p *workerParser) compare(field workerField, operator queryWord) (workerFilter, error) {
	holds, known := map[string]func(int) bool{
		"=":  func(c int) bool { return c == 0 },
		"!=": func(c int) bool { return c != 0 },
		"<>": func(c int) bool { return c != 0 },
		"<":  func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 },
		">":  func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 },
	}[operator.text]
	if !known || operator.quoted || (!field.time && operator.text[0] != '=' && operator.text != "!=" && operator.text != "<>") {
		return nil, fmt.Errorf("operation is not supported: %s", operator.text)
	}
	want, err := p.value(field)
	return func(h *workerpb.WorkerHeartbeat) bool { return holds(cmp.Compare(field.read(h), want)) }, err
}
