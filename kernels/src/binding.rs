//! What a compute shader binds, said once: the host builds its layouts from it, and a test holds
//! the shader against it.

/// A binding of a shader; its number is its position in the kernel's `BINDINGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name.
    pub name: &'static str,
    /// How the shader uses it.
    pub access: Access,
}

/// How a shader uses a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A uniform: the kernel's `Params`.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is read and written.
    Write,
}

/// A member of a kernel's `Params`, as a test compares it: name and offset in bytes.
pub type Member = (&'static str, usize);

/// The parameters of a kernel: the uniform `params`, all of its members 32 bits wide.
pub trait Params: bytemuck::Pod {
    /// The members in order.
    const MEMBERS: &'static [Member];
}

/// Declares the `Params` of a kernel.
macro_rules! params {
    ($(#[$meta:meta])* { $($(#[$doc:meta])* $member:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct Params {
            $($(#[$doc])* pub $member: u32,)+
        }

        impl $crate::binding::Params for Params {
            const MEMBERS: &'static [$crate::binding::Member] =
                &[$((stringify!($member), std::mem::offset_of!(Params, $member))),+];
        }
    };
}

/// Declares the `BINDINGS` of a kernel: the uniform `params`, then storage buffers.
macro_rules! bindings {
    ($($name:ident: $access:ident),+ $(,)?) => {
        /// What the shader binds.
        pub const BINDINGS: &[$crate::binding::Binding] = &[
            $crate::binding::Binding { name: "params", access: $crate::binding::Access::Uniform },
            $($crate::binding::Binding {
                name: stringify!($name),
                access: $crate::binding::Access::$access,
            }),+
        ];
    };
}

pub(crate) use {bindings, params};
