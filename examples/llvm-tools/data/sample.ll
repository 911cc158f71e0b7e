; main calls factorial and even; even and odd call each other.
@greeting = private unnamed_addr constant [10 x i8] c"hello, IR\00"

declare i32 @puts(ptr)

define i32 @factorial(i32 %n) {
entry:
  br label %loop

loop:
  %i = phi i32 [ %n, %entry ], [ %next, %loop ]
  %acc = phi i32 [ 1, %entry ], [ %product, %loop ]
  %product = mul i32 %acc, %i
  %next = sub i32 %i, 1
  %more = icmp sgt i32 %next, 1
  br i1 %more, label %loop, label %done

done:
  ret i32 %product
}

define i1 @even(i32 %n) {
  %m = sub i32 %n, 1
  %r = call i1 @odd(i32 %m)
  ret i1 %r
}

define i1 @odd(i32 %n) {
entry:
  %zero = icmp eq i32 %n, 0
  br i1 %zero, label %stop, label %go

stop:
  ret i1 false

go:
  %m = sub i32 %n, 1
  %r = call i1 @even(i32 %m)
  ret i1 %r
}

define i32 @main() {
  %f = call i32 @factorial(i32 5)
  %e = call i1 @even(i32 %f)
  %p = call i32 @puts(ptr @greeting)
  ret i32 0
}
