// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// The kernel's control groups, of the second version and of the first.
const (
	groups    = "/sys/fs/cgroup"
	groupsCPU = "/sys/fs/cgroup/cpu"
	// period is that within which a process has its part, in microseconds.
	period = 20_000
)

// quota lets a process have no more than a percentage of one processor: it needs root. The group that it returns has to be removed
// when the process has ended.
func quota(pid, percent int) (group string, err error) {
	limit := period * percent / 100
	root, settings := groupsCPU, map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": strconv.Itoa(limit)}
	if _, err := os.Stat(filepath.Join(groups, "cgroup.controllers")); err == nil {
		root, settings = groups, map[string]string{"cpu.max": fmt.Sprint(limit, " ", period)}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	group = filepath.Join(root, fmt.Sprint("tocsin-load-", pid))
	if err := os.Mkdir(group, 0o755); err != nil {
		return "", err
	}
	settings["cgroup.procs"] = strconv.Itoa(pid)
	for name, value := range settings {
		err = errors.Join(err, os.WriteFile(filepath.Join(group, name), []byte(value), 0o600))
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(group))
	}
	return group, nil
}
