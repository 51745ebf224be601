// SPDX-License-Identifier: Apache-2.0

// Package value holds JSON values as they came: a [Doc] parses one Record into memory that it uses again for the
// next, and a [Value] is a view of one of its values, or a scalar of its own. Reading costs no allocation, so that an
// event that matches nothing costs none either (detection.md, "Speed").
package value
