package workflow

import (
	"slices"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

// searchAttributes are those of the run as this step has left them so far.
func (d *draft) searchAttributes() *commonpb.SearchAttributes {
	if d.change.SearchAttributesChanged {
		return d.change.SearchAttributes
	}
	return d.base.SearchAttributes
}

func (d *draft) setSearchAttributes(sa *commonpb.SearchAttributes) {
	d.change.SearchAttributes, d.change.SearchAttributesChanged = sa, true
	d.info.Unversioned = isUnversioned(sa)
	d.visible = true
}

func isUnversioned(sa *commonpb.SearchAttributes) bool {
	build := sa.GetIndexedFields()[searchattr.BuildIDs]
	return len(sa.GetIndexedFields()) == 1 && build != nil && (build == unversionedOnly || proto.Equal(build, unversionedOnly))
}

// UnversionedAttributes are the search attributes that Info.Unversioned stands for.
func UnversionedAttributes() *commonpb.SearchAttributes {
	return &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{searchattr.BuildIDs: unversionedOnly}}
}

// setSystemAttribute sets a keyword list that the server itself writes, or
// removes it when there are no values.
func (d *draft) setSystemAttribute(name string, values []string) {
	if values == nil {
		d.setSearchAttributes(searchattr.Merge(d.searchAttributes(), &commonpb.SearchAttributes{
			IndexedFields: map[string]*commonpb.Payload{name: nil}}))
		return
	}
	if !slices.Equal(values, d.systemAttribute(name)) {
		d.setSearchAttributes(searchattr.Upsert(d.searchAttributes(), name, values))
	}
}

// systemAttribute reads a keyword list.
func (d *draft) systemAttribute(name string) []string {
	v, err := searchattr.Decode(d.searchAttributes().GetIndexedFields()[name], enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST)
	if err != nil {
		return nil
	}
	list, _ := v.([]string)
	return list
}

func (d *draft) memo() *commonpb.Memo {
	if d.change.MemoChanged {
		return d.change.Memo
	}
	return d.base.Memo
}

func (d *draft) setMemo(m *commonpb.Memo) {
	d.change.Memo, d.change.MemoChanged = m, true
	d.visible = true
}
