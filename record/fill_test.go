package record

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// filler gives random values to everything it finds by reflection, so that a
// field somebody adds is tested before anyone thinks of it.
type filler struct {
	rnd *rand.Rand
	// sparse leaves about half of the fields zero; otherwise none is.
	sparse bool
	// skip names fields that are not stored, by "Type.Field".
	skip map[string]bool
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	messageType = reflect.TypeFor[proto.Message]()
)

func (f *filler) fill(t *testing.T, path string, v reflect.Value) {
	switch {
	case v.Type() == timeType:
		// Beyond 2262, where nanoseconds no longer fit one number, too.
		v.Set(reflect.ValueOf(time.Unix(f.rnd.Int64N(1e10), f.rnd.Int64N(1e9)).UTC()))
		return
	case v.Type().Implements(messageType):
		m := reflect.New(v.Type().Elem())
		f.message(m.Interface().(proto.Message).ProtoReflect(), 3)
		v.Set(m)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s-%d", path, f.rnd.Uint32()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		n := int64(f.rnd.Uint64()>>f.rnd.IntN(64)) | 1
		for v.OverflowInt(n) {
			n >>= 1
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		n := f.rnd.Uint64()>>f.rnd.IntN(64) | 1
		for v.OverflowUint(n) {
			n >>= 1
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.rnd.Float32()) + 1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, path, v.Elem())
	case reflect.Struct:
		f.fields(t, path, v)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.rnd.IntN(3), 3))
		for i := range v.Len() {
			f.fill(t, path, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + f.rnd.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, path, key)
			f.fill(t, path, value)
			v.SetMapIndex(key, value)
		}
	default:
		t.Fatalf("%s: the filler does not know %v; teach it, and the coder", path, v.Type())
	}
}

func (f *filler) fields(t *testing.T, path string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if f.skip[v.Type().Name()+"."+field.Name] || f.sparse && f.rnd.IntN(2) == 0 {
			continue
		}
		if !field.IsExported() {
			t.Fatalf("%s.%s is not exported, so it cannot be stored; keep what is volatile out of stored structs", path, field.Name)
		}
		f.fill(t, path+"."+field.Name, v.Field(i))
	}
}

// message fills the fields of an API message, nested ones to a depth.
func (f *filler) message(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		nested := fd.Message() != nil
		if nested && depth == 0 || f.rnd.IntN(3) == 0 {
			continue
		}
		switch {
		case fd.IsMap():
			mp := m.Mutable(fd).Map()
			value := mp.NewValue()
			if fd.MapValue().Message() != nil {
				f.message(value.Message(), depth-1)
			} else {
				value = f.scalar(fd.MapValue())
			}
			mp.Set(f.scalar(fd.MapKey()).MapKey(), value)
		case fd.IsList():
			l := m.Mutable(fd).List()
			e := l.NewElement()
			if nested {
				f.message(e.Message(), depth-1)
			} else {
				e = f.scalar(fd)
			}
			l.Append(e)
		case nested:
			f.message(m.Mutable(fd).Message(), depth-1)
		default:
			m.Set(fd, f.scalar(fd))
		}
	}
}

func (f *filler) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprint(fd.Name(), "-ü-", f.rnd.Uint32()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 0xff, byte(f.rnd.Uint32())})
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 + f.rnd.IntN(5)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(f.rnd.Int32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(f.rnd.Int64())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(f.rnd.Uint32())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(f.rnd.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(f.rnd.Float32())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(f.rnd.Float64())
	}
	panic(fd.FullName())
}

// reporter takes what compare finds.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// compare reports each field, by its path, that was not read as it was written.
func compare(t reporter, path string, wrote, read reflect.Value) {
	t.Helper()
	if wrote.Type() == timeType {
		w, r := wrote.Interface().(time.Time), read.Interface().(time.Time)
		if w != r {
			t.Errorf("%s: wrote %v, read %v", path, w, r)
		}
		return
	}
	if wrote.Type().Implements(messageType) {
		w, r := wrote.Interface().(proto.Message), read.Interface().(proto.Message)
		if wrote.IsNil() != read.IsNil() || !proto.Equal(w, r) {
			t.Errorf("%s: wrote %v, read %v", path, w, r)
		}
		return
	}
	switch wrote.Kind() {
	case reflect.Pointer:
		if wrote.IsNil() || read.IsNil() {
			if wrote.IsNil() != read.IsNil() {
				t.Errorf("%s: wrote %v, read %v", path, wrote, read)
			}
			return
		}
		compare(t, path, wrote.Elem(), read.Elem())
	case reflect.Struct:
		for i := range wrote.NumField() {
			if field := wrote.Type().Field(i); field.IsExported() {
				compare(t, path+"."+field.Name, wrote.Field(i), read.Field(i))
			}
		}
	case reflect.Slice:
		if wrote.Len() != read.Len() {
			t.Errorf("%s: wrote %d, read %d elements", path, wrote.Len(), read.Len())
			return
		}
		for i := range wrote.Len() {
			compare(t, fmt.Sprintf("%s[%d]", path, i), wrote.Index(i), read.Index(i))
		}
	case reflect.Map:
		if wrote.Len() != read.Len() {
			t.Errorf("%s: wrote %d, read %d entries", path, wrote.Len(), read.Len())
		}
		for _, key := range wrote.MapKeys() {
			at := fmt.Sprintf("%s[%v]", path, key)
			if r := read.MapIndex(key); r.IsValid() {
				compare(t, at, wrote.MapIndex(key), r)
			} else {
				t.Errorf("%s: not read", at)
			}
		}
	default:
		if !reflect.DeepEqual(wrote.Interface(), read.Interface()) {
			t.Errorf("%s: wrote %v, read %v", path, wrote, read)
		}
	}
}
