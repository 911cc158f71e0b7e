#include "scanner/clang/request_fs.h"

#include "llvm/Support/MemoryBuffer.h"

#include <sys/stat.h>

namespace waybill
{

using llvm::StringRef;
using llvm::Twine;

// Device number of files that exist in memory only.
static constexpr uint64_t OverlayDevice = ~uint64_t{0};

static llvm::vfs::Status statusOf(const Twine &name, const wb_stat_id &id)
{
	using llvm::sys::fs::file_type;
	file_type type = S_ISREG(id.mode)   ? file_type::regular_file
			 : S_ISDIR(id.mode) ? file_type::directory_file
					    : file_type::character_file;
	return llvm::vfs::Status(name, llvm::sys::fs::UniqueID(id.dev, id.ino),
				 llvm::sys::TimePoint<>(std::chrono::nanoseconds(id.mtime_ns)), 0, 0,
				 static_cast<uint64_t>(id.size), type,
				 static_cast<llvm::sys::fs::perms>(id.mode & 07777));
}

namespace
{

class OpenFile : public llvm::vfs::File
{
      public:
	OpenFile(RequestFS &fs, StringRef spelled, llvm::vfs::Status status)
	    : Fs(fs), Spelled(spelled), What(std::move(status))
	{
	}
	llvm::ErrorOr<llvm::vfs::Status> status() override
	{
		return What;
	}
	llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> getBuffer(const Twine &, int64_t, bool, bool) override
	{
		FileText *text = Fs.text(Spelled);
		if (text == nullptr)
			return std::make_error_code(std::errc::permission_denied);
		return llvm::MemoryBuffer::getMemBuffer(text->bytes(), Spelled, true);
	}
	std::error_code close() override
	{
		return {};
	}

      private:
	RequestFS &Fs;
	StringRef Spelled; // a key of the request's places
	llvm::vfs::Status What;
};

} // namespace

RequestFS::RequestFS(FileCache &cache, const wb_shim_request &request)
    : Cache(cache), Request(request), Cwd(request.cwd)
{
}

// The path to hand to the kernel. Valid until the next call.
StringRef RequestFS::absolute(StringRef spelled)
{
	if (spelled.starts_with("/")) {
		Scratch = spelled.str();
	} else {
		Scratch = Cwd;
		Scratch += '/';
		Scratch += spelled;
	}
	return Scratch;
}

// "/a/./b//c" as "/a/b/c"; ".." stays, for it may follow a link.
static std::string folded(StringRef path)
{
	std::string out;
	while (!path.empty()) {
		StringRef part;
		std::tie(part, path) = path.split('/');
		if (part.empty() || part == ".")
			continue;
		out += '/';
		out += part;
	}
	return out;
}

const RequestFS::Place &RequestFS::look(StringRef spelled)
{
	auto [it, fresh] = Places.try_emplace(spelled);
	Place &place = it->second;
	if (!fresh)
		return place;
	StringRef path = absolute(spelled);
	for (size_t i = 0; i < Request.noverlay; i++) {
		const wb_shim_overlay &o = Request.overlay[i];
		if (folded(path) != folded(o.path))
			continue;
		place.Overlay = &o;
		place.Id.dev = OverlayDevice;
		place.Id.ino = i + 1;
		place.Id.size = static_cast<int64_t>(o.n);
		place.Id.mode = S_IFREG | 0444;
		return place;
	}
	if (!statPath(place.Id, Scratch.c_str())) {
		place.Id = {};
		Misses.push_back(it->first());
	}
	return place;
}

FileText *RequestFS::text(StringRef spelled)
{
	Place &place = const_cast<Place &>(look(spelled));
	if (!place.Text && place.Overlay != nullptr) {
		place.Text = std::make_shared<FileText>(std::string(place.Overlay->data, place.Overlay->n), place.Id);
	} else if (!place.Text && S_ISREG(place.Id.mode)) {
		bool fromDisk;
		absolute(spelled);
		place.Text = Cache.get(Scratch.c_str(), place.Id, Request.racy_ns, &fromDisk);
		if (place.Text) {
			place.Id = place.Text->Id;
			FilesRead += fromDisk;
			BytesRead += fromDisk ? place.Text->bytes().size() : 0;
		} else {
			CannotRead = true;
			Unreadable = spelled.str();
		}
	}
	return place.Text.get();
}

llvm::ErrorOr<llvm::vfs::Status> RequestFS::status(const Twine &path)
{
	llvm::SmallString<256> buffer;
	StringRef spelled = path.toStringRef(buffer);
	const Place &place = look(spelled);
	if (place.Id.mode == 0)
		return std::make_error_code(std::errc::no_such_file_or_directory);
	return statusOf(spelled, place.Id);
}

llvm::ErrorOr<std::unique_ptr<llvm::vfs::File>> RequestFS::openFileForRead(const Twine &path)
{
	llvm::SmallString<256> buffer;
	StringRef spelled = path.toStringRef(buffer);
	const Place &place = look(spelled);
	if (place.Id.mode == 0)
		return std::make_error_code(std::errc::no_such_file_or_directory);
	StringRef key = Places.find(spelled)->first();
	if (S_ISDIR(place.Id.mode))
		Blocked.push_back(key);
	return std::make_unique<OpenFile>(*this, key, statusOf(spelled, place.Id));
}

llvm::vfs::directory_iterator RequestFS::dir_begin(const Twine &, std::error_code &ec)
{
	ec = std::make_error_code(std::errc::not_supported);
	return {};
}

std::error_code RequestFS::setCurrentWorkingDirectory(const Twine &)
{
	return std::make_error_code(std::errc::not_supported);
}

llvm::ErrorOr<std::string> RequestFS::getCurrentWorkingDirectory() const
{
	return Cwd;
}

} // namespace waybill
