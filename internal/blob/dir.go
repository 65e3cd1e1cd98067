package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// walk calls fn for every file, in the order of the hashes. A name that the store did not give is an error: somebody else writes here.
func (s *Store) walk(ctx context.Context, fn func(sha [32]byte, info fs.FileInfo) error) error {
	shards, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("evidence directory: %w", err)
	}
	for _, shard := range shards {
		if shard.Name() == partDir {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.cfg.Dir, shard.Name()))
		if err != nil {
			return fmt.Errorf("evidence directory: %w", err)
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := shard.Name() + f.Name()
			sha, err := hex.DecodeString(name)
			if err != nil || len(sha) != 32 || len(shard.Name()) != 2 || hex.EncodeToString(sha) != name || !f.Type().IsRegular() {
				return fmt.Errorf("evidence directory: %s is not an evidence file", filepath.Join(shard.Name(), f.Name()))
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return fmt.Errorf("evidence directory: %w", err)
			}
			if err := fn([32]byte(sha), info); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncDir makes names durable. Windows has no such call; its journal keeps the order.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
