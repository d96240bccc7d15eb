package main

import (
	"fmt"
	"hash/crc32"
	"strings"
)

// payloadOf makes a body that names itself and can be checked: "id|crc|padding". The padding is such that compression pays.
func payloadOf(id string, size int) []byte {
	padding := strings.Repeat(id+"-", size/(len(id)+1)+1)[:size]
	return []byte(id + "|" + checksum(id, padding) + "|" + padding)
}

// idOf says whether a body is intact, and whose it is.
func idOf(body []byte) (string, bool) {
	parts := strings.SplitN(string(body), "|", 3)
	if len(parts) != 3 || parts[1] != checksum(parts[0], parts[2]) {
		return "", false
	}
	return parts[0], true
}

func checksum(id, padding string) string {
	return fmt.Sprintf("%x", crc32.ChecksumIEEE([]byte(id+padding)))
}
