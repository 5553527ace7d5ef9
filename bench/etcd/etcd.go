//go:build tools

// Package etcd names the newest etcd among Go's modules, which ./dev bench --registry --with-go measures beside Debian's.
package etcd

import _ "go.etcd.io/etcd/server/v3"
