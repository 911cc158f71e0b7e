// request_fs.h — the file system as one request sees it: relative paths start at the request's cwd, every path is
// looked at once, what is read comes from the file cache, and what was looked for in vain is remembered. One thread.
#ifndef WB_SCANNER_CLANG_REQUEST_FS_H
#define WB_SCANNER_CLANG_REQUEST_FS_H

#include "scanner/clang/file_cache.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/VirtualFileSystem.h"

extern "C" {
#include "scanner/clang/clang_shim.h"
}

namespace waybill
{

class RequestFS : public llvm::vfs::FileSystem
{
      public:
	// What is known of one path, as it was spelled.
	struct Place {
		wb_stat_id Id = {}; // mode 0: nothing there
		std::shared_ptr<FileText> Text;
		const wb_shim_overlay *Overlay = nullptr;
	};

	RequestFS(FileCache &cache, const wb_shim_request &request);

	llvm::ErrorOr<llvm::vfs::Status> status(const llvm::Twine &path) override;
	llvm::ErrorOr<std::unique_ptr<llvm::vfs::File>> openFileForRead(const llvm::Twine &path) override;
	llvm::vfs::directory_iterator dir_begin(const llvm::Twine &dir, std::error_code &ec) override;
	std::error_code setCurrentWorkingDirectory(const llvm::Twine &path) override;
	llvm::ErrorOr<std::string> getCurrentWorkingDirectory() const override;

	// The text of a place that was opened, read now when it was not yet. Null: it cannot be read.
	FileText *text(llvm::StringRef spelled);
	const Place &look(llvm::StringRef spelled);
	const std::vector<llvm::StringRef> &misses() const
	{
		return Misses;
	}
	// Directories that were opened as files.
	const std::vector<llvm::StringRef> &blocked() const
	{
		return Blocked;
	}
	uint64_t bytesRead() const
	{
		return BytesRead;
	}
	uint64_t filesRead() const
	{
		return FilesRead;
	}
	bool cannotRead() const
	{
		return CannotRead;
	}
	llvm::StringRef unreadable() const
	{
		return Unreadable;
	}

      private:
	llvm::StringRef absolute(llvm::StringRef spelled);

	FileCache &Cache;
	const wb_shim_request &Request;
	const std::string Cwd;
	llvm::StringMap<Place> Places;
	std::vector<llvm::StringRef> Misses, Blocked; // keys of Places
	std::string Scratch, Unreadable;
	uint64_t BytesRead = 0, FilesRead = 0;
	bool CannotRead = false;
};

} // namespace waybill

#endif
