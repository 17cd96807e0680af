package frontend

import (
	"go.temporal.io/api/errordetails/v1"
	"google.golang.org/grpc/codes"

	"github.com/perdure/perdure/engine"
)

// maxNamespaceBytes bounds a namespace's name.
const maxNamespaceBytes = 1000

// named is a request that says which namespace it is about.
type named interface{ GetNamespace() string }

// tokened is a request that answers a task; its namespace may be left empty.
type tokened interface{ GetTaskToken() []byte }

// findsNamespace are the operations that are so; see rpc.
var findsNamespace = map[string]bool{
	"RegisterNamespace": true, "DescribeNamespace": true, "UpdateNamespace": true, "DeprecateNamespace": true,
	"DeleteNamespace": true, "AddSearchAttributes": true, "RemoveSearchAttributes": true, "ListSearchAttributes": true,
}

// startsWork are the operations that are so; see rpc.
var startsWork = map[string]bool{
	"StartWorkflowExecution": true, "SignalWithStartWorkflowExecution": true, "ExecuteMultiOperation": true,
	"StartActivityExecution": true,
}

// resolve finds the namespace a request is about (service.md 1.5).
func (f *Frontend) resolve(c *call, req any) (err error) {
	r, ok := req.(named)
	if !ok || c.findsNamespace {
		return nil
	}
	if t, ok := req.(tokened); ok && r.GetNamespace() == "" {
		c.namespace, err = f.namespaceOfToken(t.GetTaskToken())
	} else {
		c.namespace, err = f.namespaceNamed(r.GetNamespace(), c.rpc)
	}
	return err
}

func (f *Frontend) namespaceNamed(name string, r *rpc) (*engine.Namespace, error) {
	switch {
	case name == "":
		return nil, invalid("Namespace is empty.")
	case len(name) > maxNamespaceBytes:
		return nil, invalid("Namespace length exceeds limit.")
	}
	if r.name == "DeleteWorkflowExecution" { // allowed in a deleted namespace too (workflow.md 4.4)
		if ns := f.registry.ByName(name); ns != nil {
			return ns, nil
		}
	}
	return f.registry.Usable(name, r.startsWork)
}

func (f *Frontend) namespaceOfToken(token []byte) (*engine.Namespace, error) {
	id, err := tokenNamespace(token)
	if err != nil {
		return nil, err
	}
	ns := f.registry.ByID(id)
	if ns == nil {
		return nil, noNamespace(id)
	}
	return f.registry.Usable(ns.Name, false)
}

// noNamespace is NOT_FOUND with the detail SDKs tell it by.
func noNamespace(name string) error {
	return withDetail(codes.NotFound, "Namespace "+name+" is not found.",
		&errordetails.NamespaceNotFoundFailure{Namespace: name})
}
