package frontend

import (
	"strings"
	"testing"
)

// TestHTTPActivities walks through the routes of standalone activities: started,
// described, paused, unpaused, reset, updated, completed by id, their outcome
// read, listed, deleted.
func TestHTTPActivities(t *testing.T) {
	e := newEdge(t)
	server := newGateway(t, e, HTTPOptions{})
	const activity = "/api/v1/namespaces/ns/activities/a"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string // is part of the answer
	}{
		{"start", "POST", activity, `{"activityType":{"name":"t"},"taskQueue":{"name":"q"},"startToCloseTimeout":"10s","input":["hello"]}`, 200, `"started":true`},
		{"start again", "POST", activity, `{"activityType":{"name":"t"},"taskQueue":{"name":"q"},"startToCloseTimeout":"10s"}`, 409, `ActivityExecutionAlreadyStartedFailure`},
		{"describe", "GET", activity + "?includeInput=true", "", 200, `"input":["hello"]`},
		{"describe without the prefix", "GET", "/namespaces/ns/activities/a", "", 200, `"status":"ACTIVITY_EXECUTION_STATUS_RUNNING"`},
		{"pause", "POST", activity + "/pause", `{"reason":"r"}`, 200, `{}`},
		{"pause again", "POST", activity + "/pause", `{}`, 400, `activity is in non-pausable state Paused`},
		{"unpause", "POST", activity + "/unpause", `{}`, 200, `{}`},
		{"reset", "POST", activity + "/reset", `{}`, 200, `{}`},
		{"update", "POST", activity + "/update-options", `{"activityOptions":{"startToCloseTimeout":"44s"},"updateMask":"startToCloseTimeout"}`, 200, `"startToCloseTimeout":"44s"`},
		{"complete", "POST", activity + "/complete", `{"result":["bye"]}`, 200, `{}`},
		{"outcome", "GET", activity + "/outcome", "", 200, `"outcome":{"result":["bye"]}`},
		{"cancel", "POST", activity + "/cancel", `{}`, 400, `activity is in terminal state Completed`},
		{"terminate", "POST", activity + "/terminate", `{}`, 400, `invalid transition from Completed`},
		{"list", "GET", "/api/v1/namespaces/ns/activities?query=ActivityId%3D'a'", "", 200, ``},
		{"count", "GET", "/api/v1/namespaces/ns/activity-count", "", 200, `{}`},
		{"an unknown one", "GET", "/api/v1/namespaces/ns/activities/b", "", 404, `activity not found for ID: b`},
	} {
		code, body, _ := request(t, server, c.method, c.path, c.body)
		if compact := strings.ReplaceAll(body, " ", ""); code != c.status || !strings.Contains(compact, strings.ReplaceAll(c.want, " ", "")) {
			t.Errorf("%s: %d %s, want %d with %s", c.name, code, body, c.status, c.want)
		}
	}
}
